package scim

import "math/bits"

// An idSet holds hashes of native ids in some 12 bytes each; a map takes twice
// that, and as much again while it grows. The zero value is empty.
type idSet struct {
	slots []uint64 // 0: free
	n     int
}

// add puts a hash into the set and tells whether it was there.
func (s *idSet) add(hash uint64) (again bool) {
	if s.n+1 > len(s.slots)/8*7 {
		s.grow()
	}
	if !s.put(hash) {
		return true
	}
	s.n++
	return false
}

func (s *idSet) put(hash uint64) (fresh bool) {
	hash = max(hash, 1)
	high, _ := bits.Mul64(hash, uint64(len(s.slots)))
	for i := int(high); ; i++ {
		if i == len(s.slots) {
			i = 0
		}
		switch s.slots[i] {
		case hash:
			return false
		case 0:
			s.slots[i] = hash
			return true
		}
	}
}

func (s *idSet) grow() {
	old := s.slots
	s.slots = make([]uint64, max(1024, len(old)+len(old)/2))
	for _, hash := range old {
		if hash != 0 {
			s.put(hash)
		}
	}
}
