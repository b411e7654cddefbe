"""Talks to the APIs of forges (GitHub, Gitea and Forgejo, GitLab), and nothing else does."""
