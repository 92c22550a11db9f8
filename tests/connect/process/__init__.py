"""An app whose handlers wait for the test, in processes of their own."""
