"""Files on the page: uploads, samples and downloads."""
