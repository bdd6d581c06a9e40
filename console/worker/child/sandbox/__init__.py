"""The sandbox: the layers a child puts around itself before it reads a byte of a model."""
