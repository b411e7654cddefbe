"""The words for a network. Light: the command line reads them."""

AUTO, NONE = "auto", "none"
VETH, SLIRP4NETNS, PASTA = "veth", "slirp4netns", "pasta"
CHOICES = (AUTO, NONE, VETH, SLIRP4NETNS, PASTA)
"""What may be said of a home's network: what the machine gives, nothing, or the one way that is tried."""
