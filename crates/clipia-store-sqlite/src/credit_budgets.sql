-- Version 2. The credit budgets of keys, and what each key has spent of its own. A period is of whole days of UTC, counted from the Unix
-- epoch.

ALTER TABLE api_key ADD COLUMN credits_max INTEGER CHECK (credits_max > 0); -- null where the key has no budget
ALTER TABLE api_key ADD COLUMN credits_per TEXT
    CHECK (credits_per = 'day' OR credits_per = 'month') CHECK ((credits_max IS NULL) = (credits_per IS NULL));
ALTER TABLE api_key ADD COLUMN spent INTEGER NOT NULL DEFAULT 0 CHECK (spent >= 0); -- credits, in the period that follows
ALTER TABLE api_key ADD COLUMN spent_since INTEGER NOT NULL DEFAULT 0; -- its first day
ALTER TABLE api_key ADD COLUMN spent_until INTEGER NOT NULL DEFAULT 0; -- the first day after it
