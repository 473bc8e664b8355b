"""Attribution methods: the table, the question, and how a map is computed."""
