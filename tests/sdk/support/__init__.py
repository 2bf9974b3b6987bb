"""What the tests of all SDK versions share."""
