"""Explanations whose right answer is known, because it was planted: which method finds it?"""
