-- +goose Up

-- The version of an account that a write leaves behind makes room on the same page, and its indexes stay as they are.
ALTER TABLE account SET (fillfactor = 80);

-- +goose Down
ALTER TABLE account RESET (fillfactor);
