-- Whose an API key is, and what it may do, encrypted and authenticated under the key encryption key: what decides. Keys of before have none: those with the
-- scopes broker, release, keys or operator are made anew.
ALTER TABLE api_key ADD COLUMN record_sealed $bytes$;
