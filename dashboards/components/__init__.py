"""Components for the browser: the stage of a picture, shortcuts, the recorder."""
