"""The project that is measured behind the wall of row-level security, and past it."""
