"""Inputs: pictures, DICOM and sound, read into samples."""
