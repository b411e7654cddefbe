"""What is written for a new application or a new repository: files in, files out; nothing here touches a disk."""
