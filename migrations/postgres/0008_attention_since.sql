-- Since when a hire needs a person: looks come in growing pauses from then on, also when its send time
-- was long ago. It stays while passes are asked for in between.
ALTER TABLE hire ADD COLUMN attention_since BIGINT;
