"""The containers of jobs, through podman: a job's own, its services, actions from images."""
