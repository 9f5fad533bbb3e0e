-- SQLite
CREATE TABLE IF NOT EXISTS shop.outbox (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	message_id TEXT NOT NULL UNIQUE,
	order_key TEXT,
	created_ms INTEGER NOT NULL,
	claimed_until_ms INTEGER DEFAULT 0 NOT NULL,
	claim TEXT,
	failure TEXT,
	message BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS shop_outbox_order_key ON shop.outbox (order_key, id);
INSERT INTO shop.outbox (message_id, order_key, created_ms, message) VALUES (?, ?, ?, ?);
SELECT o.id FROM shop.outbox o WHERE o.created_ms <= ? AND o.claimed_until_ms BETWEEN ? AND ? AND o.failure IS NULL AND NOT EXISTS (SELECT 1 FROM shop.outbox e WHERE e.order_key = o.order_key AND e.id < o.id AND e.failure IS NULL AND (e.created_ms > ? OR e.claimed_until_ms NOT BETWEEN ? AND ?)) ORDER BY o.id LIMIT 100;
SELECT o.id FROM shop.outbox o WHERE o.created_ms <= ? AND o.claimed_until_ms BETWEEN ? AND ? AND o.failure IS NULL AND NOT EXISTS (SELECT 1 FROM shop.outbox e WHERE e.order_key = o.order_key AND e.id < o.id AND e.failure IS NULL AND (e.created_ms > ? OR e.claimed_until_ms NOT BETWEEN ? AND ?)) ORDER BY o.claimed_until_ms, o.id LIMIT 100;
UPDATE shop.outbox SET claim = ?, claimed_until_ms = ? WHERE claimed_until_ms BETWEEN ? AND ? AND failure IS NULL AND id IN (?, ?);
SELECT o.id, o.order_key, o.message FROM shop.outbox o WHERE o.claim = ? AND NOT EXISTS (SELECT 1 FROM shop.outbox e WHERE e.order_key = o.order_key AND e.id < o.id AND e.failure IS NULL AND (e.claim IS NULL OR e.claim <> ?)) AND o.id IN (?, ?) ORDER BY o.id;
UPDATE shop.outbox SET claim = NULL, claimed_until_ms = ? WHERE claim = ? AND id IN (?, ?);
DELETE FROM shop.outbox WHERE id IN (?, ?);
DELETE FROM shop.outbox WHERE message_id IN (?, ?);
UPDATE shop.outbox SET failure = ?, claim = NULL WHERE claim = ? AND id = ?;
SELECT o.message_id, o.failure FROM shop.outbox o WHERE o.failure IS NOT NULL ORDER BY o.id LIMIT 100;
UPDATE shop.outbox SET failure = NULL, claimed_until_ms = 0 WHERE message_id = ?;
SELECT COUNT(*) FROM shop.outbox WHERE failure IS NULL;

-- MySQL
CREATE TABLE IF NOT EXISTS shop.outbox (
	id BIGINT AUTO_INCREMENT PRIMARY KEY,
	message_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL UNIQUE,
	order_key VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
	created_ms BIGINT NOT NULL,
	claimed_until_ms BIGINT DEFAULT 0 NOT NULL,
	claim VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
	failure VARCHAR(1000),
	message LONGBLOB NOT NULL,
	INDEX shop_outbox_order_key (order_key, id)
);
INSERT INTO shop.outbox (message_id, order_key, created_ms, message) VALUES (?, ?, ?, ?);
SELECT o.id FROM shop.outbox o WHERE o.created_ms <= ? AND o.claimed_until_ms BETWEEN ? AND ? AND o.failure IS NULL AND NOT EXISTS (SELECT 1 FROM shop.outbox e WHERE e.order_key = o.order_key AND e.id < o.id AND e.failure IS NULL AND (e.created_ms > ? OR e.claimed_until_ms NOT BETWEEN ? AND ?)) ORDER BY o.id LIMIT 100 FOR UPDATE SKIP LOCKED;
SELECT o.id FROM shop.outbox o WHERE o.created_ms <= ? AND o.claimed_until_ms BETWEEN ? AND ? AND o.failure IS NULL AND NOT EXISTS (SELECT 1 FROM shop.outbox e WHERE e.order_key = o.order_key AND e.id < o.id AND e.failure IS NULL AND (e.created_ms > ? OR e.claimed_until_ms NOT BETWEEN ? AND ?)) ORDER BY o.claimed_until_ms, o.id LIMIT 100 FOR UPDATE SKIP LOCKED;
UPDATE shop.outbox SET claim = ?, claimed_until_ms = ? WHERE claimed_until_ms BETWEEN ? AND ? AND failure IS NULL AND id IN (?, ?);
SELECT o.id, o.order_key, o.message FROM shop.outbox o WHERE o.claim = ? AND NOT EXISTS (SELECT 1 FROM shop.outbox e WHERE e.order_key = o.order_key AND e.id < o.id AND e.failure IS NULL AND (e.claim IS NULL OR e.claim <> ?)) AND o.id IN (?, ?) ORDER BY o.id;
UPDATE shop.outbox SET claim = NULL, claimed_until_ms = ? WHERE claim = ? AND id IN (?, ?);
DELETE FROM shop.outbox WHERE id IN (?, ?);
DELETE FROM shop.outbox WHERE message_id IN (?, ?);
UPDATE shop.outbox SET failure = ?, claim = NULL WHERE claim = ? AND id = ?;
SELECT o.message_id, o.failure FROM shop.outbox o WHERE o.failure IS NOT NULL ORDER BY o.id LIMIT 100;
UPDATE shop.outbox SET failure = NULL, claimed_until_ms = 0 WHERE message_id = ?;
SELECT COUNT(*) FROM shop.outbox WHERE failure IS NULL;

-- PostgreSQL
CREATE TABLE IF NOT EXISTS shop.outbox (
	id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	message_id VARCHAR(255) NOT NULL UNIQUE,
	order_key VARCHAR(255),
	created_ms BIGINT NOT NULL,
	claimed_until_ms BIGINT DEFAULT 0 NOT NULL,
	claim VARCHAR(255),
	failure VARCHAR(1000),
	message BYTEA NOT NULL
);
CREATE INDEX IF NOT EXISTS shop_outbox_order_key ON shop.outbox (order_key, id);
INSERT INTO shop.outbox (message_id, order_key, created_ms, message) VALUES ($1, $2, $3, $4);
SELECT o.id FROM shop.outbox o WHERE o.created_ms <= $1 AND o.claimed_until_ms BETWEEN $2 AND $3 AND o.failure IS NULL AND NOT EXISTS (SELECT 1 FROM shop.outbox e WHERE e.order_key = o.order_key AND e.id < o.id AND e.failure IS NULL AND (e.created_ms > $4 OR e.claimed_until_ms NOT BETWEEN $5 AND $6)) ORDER BY o.id LIMIT 100 FOR UPDATE SKIP LOCKED;
SELECT o.id FROM shop.outbox o WHERE o.created_ms <= $1 AND o.claimed_until_ms BETWEEN $2 AND $3 AND o.failure IS NULL AND NOT EXISTS (SELECT 1 FROM shop.outbox e WHERE e.order_key = o.order_key AND e.id < o.id AND e.failure IS NULL AND (e.created_ms > $4 OR e.claimed_until_ms NOT BETWEEN $5 AND $6)) ORDER BY o.claimed_until_ms, o.id LIMIT 100 FOR UPDATE SKIP LOCKED;
UPDATE shop.outbox SET claim = $1, claimed_until_ms = $2 WHERE claimed_until_ms BETWEEN $3 AND $4 AND failure IS NULL AND id IN ($5, $6);
SELECT o.id, o.order_key, o.message FROM shop.outbox o WHERE o.claim = $1 AND NOT EXISTS (SELECT 1 FROM shop.outbox e WHERE e.order_key = o.order_key AND e.id < o.id AND e.failure IS NULL AND (e.claim IS NULL OR e.claim <> $2)) AND o.id IN ($3, $4) ORDER BY o.id;
UPDATE shop.outbox SET claim = NULL, claimed_until_ms = $1 WHERE claim = $2 AND id IN ($3, $4);
DELETE FROM shop.outbox WHERE id IN ($1, $2);
DELETE FROM shop.outbox WHERE message_id IN ($1, $2);
UPDATE shop.outbox SET failure = $1, claim = NULL WHERE claim = $2 AND id = $3;
SELECT o.message_id, o.failure FROM shop.outbox o WHERE o.failure IS NOT NULL ORDER BY o.id LIMIT 100;
UPDATE shop.outbox SET failure = NULL, claimed_until_ms = 0 WHERE message_id = $1;
SELECT COUNT(*) FROM shop.outbox WHERE failure IS NULL;

-- SQLServer
IF OBJECT_ID(N'shop.outbox') IS NULL CREATE TABLE shop.outbox (
	id BIGINT IDENTITY(1,1) PRIMARY KEY,
	message_id NVARCHAR(255) COLLATE Latin1_General_BIN2 NOT NULL UNIQUE,
	order_key NVARCHAR(255) COLLATE Latin1_General_BIN2,
	created_ms BIGINT NOT NULL,
	claimed_until_ms BIGINT DEFAULT 0 NOT NULL,
	claim NVARCHAR(255) COLLATE Latin1_General_BIN2,
	failure NVARCHAR(1000),
	message VARBINARY(MAX) NOT NULL,
	INDEX shop_outbox_order_key (order_key, id)
);
INSERT INTO shop.outbox (message_id, order_key, created_ms, message) VALUES (@p1, @p2, @p3, @p4);
SELECT TOP (100) o.id FROM shop.outbox o WITH (UPDLOCK, READPAST, ROWLOCK) WHERE o.created_ms <= @p1 AND o.claimed_until_ms BETWEEN @p2 AND @p3 AND o.failure IS NULL AND NOT EXISTS (SELECT 1 FROM shop.outbox e WITH (READPAST) WHERE e.order_key = o.order_key AND e.id < o.id AND e.failure IS NULL AND (e.created_ms > @p4 OR e.claimed_until_ms NOT BETWEEN @p5 AND @p6)) ORDER BY o.id;
SELECT TOP (100) o.id FROM shop.outbox o WITH (UPDLOCK, READPAST, ROWLOCK) WHERE o.created_ms <= @p1 AND o.claimed_until_ms BETWEEN @p2 AND @p3 AND o.failure IS NULL AND NOT EXISTS (SELECT 1 FROM shop.outbox e WITH (READPAST) WHERE e.order_key = o.order_key AND e.id < o.id AND e.failure IS NULL AND (e.created_ms > @p4 OR e.claimed_until_ms NOT BETWEEN @p5 AND @p6)) ORDER BY o.claimed_until_ms, o.id;
UPDATE shop.outbox SET claim = @p1, claimed_until_ms = @p2 WHERE claimed_until_ms BETWEEN @p3 AND @p4 AND failure IS NULL AND id IN (@p5, @p6);
SELECT o.id, o.order_key, o.message FROM shop.outbox o WHERE o.claim = @p1 AND NOT EXISTS (SELECT 1 FROM shop.outbox e WHERE e.order_key = o.order_key AND e.id < o.id AND e.failure IS NULL AND (e.claim IS NULL OR e.claim <> @p2)) AND o.id IN (@p3, @p4) ORDER BY o.id;
UPDATE shop.outbox SET claim = NULL, claimed_until_ms = @p1 WHERE claim = @p2 AND id IN (@p3, @p4);
DELETE FROM shop.outbox WHERE id IN (@p1, @p2);
DELETE FROM shop.outbox WHERE message_id IN (@p1, @p2);
UPDATE shop.outbox SET failure = @p1, claim = NULL WHERE claim = @p2 AND id = @p3;
SELECT TOP (100) o.message_id, o.failure FROM shop.outbox o WHERE o.failure IS NOT NULL ORDER BY o.id;
UPDATE shop.outbox SET failure = NULL, claimed_until_ms = 0 WHERE message_id = @p1;
SELECT COUNT(*) FROM shop.outbox WHERE failure IS NULL;

-- Oracle
CREATE TABLE shop.outbox (
	id NUMBER(19) GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	message_id VARCHAR2(255 CHAR) NOT NULL UNIQUE,
	order_key VARCHAR2(255 CHAR),
	created_ms NUMBER(19) NOT NULL,
	claimed_until_ms NUMBER(19) DEFAULT 0 NOT NULL,
	claim VARCHAR2(255 CHAR),
	failure VARCHAR2(1000 CHAR),
	message BLOB NOT NULL
);
CREATE INDEX shop_outbox_order_key ON shop.outbox (order_key, id);
INSERT INTO shop.outbox (message_id, order_key, created_ms, message) VALUES (:1, :2, :3, :4);
SELECT o.id FROM shop.outbox o WHERE o.created_ms <= :1 AND o.claimed_until_ms BETWEEN :2 AND :3 AND o.failure IS NULL AND NOT EXISTS (SELECT 1 FROM shop.outbox e WHERE e.order_key = o.order_key AND e.id < o.id AND e.failure IS NULL AND (e.created_ms > :4 OR e.claimed_until_ms NOT BETWEEN :5 AND :6)) ORDER BY o.id FETCH FIRST 100 ROWS ONLY;
SELECT o.id FROM shop.outbox o WHERE o.created_ms <= :1 AND o.claimed_until_ms BETWEEN :2 AND :3 AND o.failure IS NULL AND NOT EXISTS (SELECT 1 FROM shop.outbox e WHERE e.order_key = o.order_key AND e.id < o.id AND e.failure IS NULL AND (e.created_ms > :4 OR e.claimed_until_ms NOT BETWEEN :5 AND :6)) ORDER BY o.claimed_until_ms, o.id FETCH FIRST 100 ROWS ONLY;
UPDATE shop.outbox SET claim = :1, claimed_until_ms = :2 WHERE claimed_until_ms BETWEEN :3 AND :4 AND failure IS NULL AND id IN (:5, :6);
SELECT o.id, o.order_key, o.message FROM shop.outbox o WHERE o.claim = :1 AND NOT EXISTS (SELECT 1 FROM shop.outbox e WHERE e.order_key = o.order_key AND e.id < o.id AND e.failure IS NULL AND (e.claim IS NULL OR e.claim <> :2)) AND o.id IN (:3, :4) ORDER BY o.id;
UPDATE shop.outbox SET claim = NULL, claimed_until_ms = :1 WHERE claim = :2 AND id IN (:3, :4);
DELETE FROM shop.outbox WHERE id IN (:1, :2);
DELETE FROM shop.outbox WHERE message_id IN (:1, :2);
UPDATE shop.outbox SET failure = :1, claim = NULL WHERE claim = :2 AND id = :3;
SELECT o.message_id, o.failure FROM shop.outbox o WHERE o.failure IS NOT NULL ORDER BY o.id FETCH FIRST 100 ROWS ONLY;
UPDATE shop.outbox SET failure = NULL, claimed_until_ms = 0 WHERE message_id = :1;
SELECT COUNT(*) FROM shop.outbox WHERE failure IS NULL;

