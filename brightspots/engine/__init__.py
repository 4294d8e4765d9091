"""Engines that turn cells and priors into a posterior."""
