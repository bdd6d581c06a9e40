"""The screens: everything an operator sees and presses. Talks to `console.engine` only."""
