"""An app of a project's own, of which each merchant has tables."""
