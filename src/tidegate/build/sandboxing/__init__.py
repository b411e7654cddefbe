"""Lines that must truly run: in a sandbox, on a stage's files, emulated where the platform is a foreign one."""
