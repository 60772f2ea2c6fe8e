//! What is particular to one method: building its messages and judging its fields.
