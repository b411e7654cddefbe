"""What `tidegate install` puts into a cluster: definitions, rights and Deployments, and how it goes in and out."""
