"""The main job: read, fit, measure, report; and the folder that each run leaves behind."""
