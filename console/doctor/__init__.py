"""The doctor: what the machine, the installation and the store's own files allow."""
