"""Training on several hosts: who takes part, and a connection that tells when one is gone."""
