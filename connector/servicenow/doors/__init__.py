"""The write doors: ways to bring mapped documents into ServiceNow. All tell, row by row, what became of them."""
