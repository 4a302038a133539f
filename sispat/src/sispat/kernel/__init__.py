"""What every slice stands on: who may do what, states, numbers, the audit, what people type. No HTTP."""
