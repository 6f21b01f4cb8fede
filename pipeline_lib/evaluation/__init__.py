"""How near synthetic images are to real ones: features, distances, copies, spectra, objects."""
