"""The stack of template.yaml on an emulator of AWS, on loopback."""
