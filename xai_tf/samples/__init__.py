"""The bundled samples: pictures, X-rays, MRI slices and recordings; see SOURCES.md."""
