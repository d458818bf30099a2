//! Usage and bills in files: one file per format.
