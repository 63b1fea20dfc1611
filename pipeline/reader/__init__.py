"""The offline reader: a page that reads a radiograph by the released TF.js artefact."""
