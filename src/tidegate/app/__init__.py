"""The only room where the parts are put together: one machine's Tidegate, and a cluster's."""
