package reconcile

// Plan says what to do for one person in one system.
func Plan(in Input) Output { return Output{} }
