package intact

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
)

// The layout of a bbolt file, version 2, in the byte order of the host:
//
//	page      id 8, flags 2, count 2, overflow 4 (further pages that belong to it); then its elements
//	branch    elements of: pos 4, key size 4, child page 8; keys at pos from the element on
//	leaf      elements of: flags 4 (1: a bucket), pos 4, key size 4, value size 4; key and value likewise
//	bucket    a value: root page 8 (0: a leaf page follows within the value), sequence 8
//	freelist  ids of free pages, 8 each; where count is 0xffff the first of them is their number
//	meta      magic 4, version 4, page size 4, flags 4, root bucket 16, freelist 8, pages 8, txid 8, FNV-1a of it 8
const (
	pageHead, elementSize, bucketHead, metaSize = 16, 16, 16, 64

	branchPage, leafPage, freelistPage = 0x01, 0x02, 0x10

	bboltMagic, bboltVersion = 0xED0CDAED, 2
	noFreelist               = ^uint64(0)
)

var order = binary.NativeEndian

// A pageCheck walks all pages of a file that are in use. bbolt trusts what it
// reads: a branch that leads back to itself keeps it going for ever, and a page
// that is free and in use is overwritten.
type pageCheck struct {
	file  io.ReaderAt
	size  uint64 // of a page
	pages uint64 // of the file
	seen  []bool // by id
}

// checkPages says what does not make sense in a bbolt file, with [ErrDamaged].
// It reads what is in use once, which takes a second per gigabyte, and looks
// into no value.
func checkPages(file io.ReaderAt) error {
	meta := readMeta(file)
	if meta == nil {
		return nil // bbolt says it better
	}
	c := &pageCheck{file: file, size: uint64(order.Uint32(meta[8:])), pages: order.Uint64(meta[40:])}
	if c.pages > 1<<32 {
		return fmt.Errorf("%w: %d pages", ErrDamaged, c.pages)
	}
	c.seen = make([]bool, c.pages)
	if err := c.tree(order.Uint64(meta[16:])); err != nil {
		return err
	}
	if freelist := order.Uint64(meta[32:]); freelist != noFreelist {
		return c.freelist(freelist)
	}
	return nil
}

// readMeta returns the younger of the two beginnings that are whole, nil where neither is.
func readMeta(file io.ReaderAt) (meta []byte) {
	for at := int64(0); at <= PageSize; at += PageSize {
		m := make([]byte, metaSize)
		if _, err := file.ReadAt(m, at+pageHead); err != nil {
			continue
		}
		sum := fnv.New64a()
		sum.Write(m[:metaSize-8])
		whole := order.Uint32(m) == bboltMagic && order.Uint32(m[4:]) == bboltVersion && order.Uint32(m[8:]) == PageSize && order.Uint64(m[56:]) == sum.Sum64()
		if whole && (meta == nil || order.Uint64(m[48:]) > order.Uint64(meta[48:])) {
			meta = m
		}
	}
	return meta
}

// page reads a page with what belongs to it. None is reached twice.
func (c *pageCheck) page(id uint64) ([]byte, error) {
	head := make([]byte, pageHead)
	if id < 2 || id >= c.pages {
		return nil, fmt.Errorf("%w: page %d of %d", ErrDamaged, id, c.pages)
	}
	if _, err := c.file.ReadAt(head, int64(id*c.size)); err != nil {
		return nil, fmt.Errorf("%w: page %d: %w", ErrDamaged, id, err)
	}
	last := id + uint64(order.Uint32(head[12:]))
	if order.Uint64(head) != id || last >= c.pages {
		return nil, fmt.Errorf("%w: page %d says that it is %d and goes on to %d of %d", ErrDamaged, id, order.Uint64(head), last, c.pages)
	}
	for i := id; i <= last; i++ {
		if c.seen[i] {
			return nil, fmt.Errorf("%w: page %d is used twice", ErrDamaged, i)
		}
		c.seen[i] = true
	}
	page := make([]byte, (last-id+1)*c.size)
	if _, err := c.file.ReadAt(page, int64(id*c.size)); err != nil {
		return nil, fmt.Errorf("%w: page %d: %w", ErrDamaged, id, err)
	}
	return page, nil
}

// tree checks the page and all that it leads to.
func (c *pageCheck) tree(id uint64) error {
	page, err := c.page(id)
	if err != nil {
		return err
	}
	return c.elements(id, page)
}

// elements checks those of a branch or leaf, which may lie within a value.
func (c *pageCheck) elements(id uint64, page []byte) error {
	flags, count := order.Uint16(page[8:]), int(order.Uint16(page[10:]))
	if flags != branchPage && flags != leafPage || flags == branchPage && count == 0 {
		return fmt.Errorf("%w: page %d of kind %#x with %d elements", ErrDamaged, id, flags, count)
	}
	var last []byte
	for i := range count {
		at := pageHead + i*elementSize
		if at+elementSize > len(page) {
			return fmt.Errorf("%w: page %d has no room for %d elements", ErrDamaged, id, count)
		}
		e := page[at:]
		pos, keySize, valueSize := uint64(order.Uint32(e)), uint64(order.Uint32(e[4:])), uint64(0)
		if flags == leafPage {
			pos, keySize, valueSize = uint64(order.Uint32(e[4:])), uint64(order.Uint32(e[8:])), uint64(order.Uint32(e[12:]))
		}
		if pos+keySize+valueSize > uint64(len(e)) {
			return fmt.Errorf("%w: element %d of page %d lies outside it", ErrDamaged, i, id)
		}
		key, value := e[pos:pos+keySize], e[pos+keySize:pos+keySize+valueSize]
		if i > 0 && bytes.Compare(last, key) >= 0 {
			return fmt.Errorf("%w: element %d of page %d is out of order", ErrDamaged, i, id)
		}
		last = key
		var err error
		switch kind := order.Uint32(e); {
		case flags == branchPage:
			err = c.tree(order.Uint64(e[8:]))
		case kind == 1:
			err = c.bucket(id, value)
		case kind != 0:
			err = fmt.Errorf("%w: element %d of page %d of kind %#x", ErrDamaged, i, id, kind)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *pageCheck) bucket(id uint64, value []byte) error {
	if len(value) < bucketHead {
		return fmt.Errorf("%w: bucket of %d bytes in page %d", ErrDamaged, len(value), id)
	}
	if root := order.Uint64(value); root != 0 {
		return c.tree(root)
	}
	if len(value) < bucketHead+pageHead || order.Uint16(value[bucketHead+8:]) != leafPage {
		return fmt.Errorf("%w: bucket within page %d is no leaf", ErrDamaged, id)
	}
	return c.elements(id, value[bucketHead:])
}

func (c *pageCheck) freelist(id uint64) error {
	page, err := c.page(id)
	if err != nil {
		return err
	}
	count, at := uint64(order.Uint16(page[10:])), uint64(pageHead)
	if count == 0xffff {
		count, at = order.Uint64(page[pageHead:]), at+8
	}
	if order.Uint16(page[8:]) != freelistPage || count > (uint64(len(page))-at)/8 {
		return fmt.Errorf("%w: page %d is no list of %d free pages", ErrDamaged, id, count)
	}
	for ; count > 0; count-- {
		free := order.Uint64(page[at:])
		if free < 2 || free >= c.pages || c.seen[free] {
			return fmt.Errorf("%w: page %d is free and in use, or not there", ErrDamaged, free)
		}
		c.seen[free] = true
		at += 8
	}
	return nil
}
