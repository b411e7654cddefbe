"""Base images from Debian packages: verified, unpacked without configuring them, the same bytes every time."""
