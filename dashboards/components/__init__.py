"""Components that run in the browser, such as the attribution viewer and the recorder."""

from dashboards.components.early_changes import deliver

deliver()
