"""Records in the forms that other tools read: JUnit XML, CTRF JSON, Markdown, SARIF, SVG badges. Records in, text out.

Called by `slowfast-verify report export` and `report badges` and by `doctor --sarif`; never imports what makes records. Two rules hold
in every form: what was not verified is not passed, and an outage is neither passed nor failed.
"""
