"""Image references to registry client, authentication, image and index values, layers. No station is known here."""
