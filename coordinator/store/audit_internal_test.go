package store

// ChangesOfAudit are statements that the database must refuse.
var ChangesOfAudit = []func(*Tx) error{
	func(tx *Tx) error { _, err := tx.exec("UPDATE audit SET who = 'nobody'"); return err },
	func(tx *Tx) error { _, err := tx.exec("DELETE FROM audit"); return err },
}
