-- Where a recorded call's two sides are heard: the same port may be taken at two addresses of ours.
ALTER TABLE recordings ADD COLUMN caller_address TEXT;
ALTER TABLE recordings ADD COLUMN called_address TEXT;
