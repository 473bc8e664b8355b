"""What people bring: pictures, DICOM and sound, read into samples."""
