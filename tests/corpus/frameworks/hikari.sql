-- What hikari sends (tests/drivers/framework), a command a line: its name, a tab, its text.
-- at its start
Query	set autocommit=1, sql_mode = concat(@@sql_mode,',STRICT_TRANS_TABLES')
Query	SELECT @@max_allowed_packet,@@system_time_zone,@@time_zone,@@auto_increment_increment
Ping	
Query	SELECT @@tx_isolation
Query	SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED
Query	SET NAMES utf8mb4
Query	CREATE TABLE IF NOT EXISTS j_account (id INT AUTO_INCREMENT PRIMARY KEY, owner VARCHAR(60), amount INT) ENGINE=InnoDB
-- each request
Execute	INSERT INTO j_account (owner, amount) VALUES (?, ?)
Query	set autocommit=0
Execute	UPDATE j_account SET amount = amount - ? WHERE id = ?
Query	COMMIT
Query	set autocommit=1
Query	set autocommit=0
Execute	SELECT amount FROM j_account WHERE id = ?
Query	ROLLBACK
Query	set autocommit=1
Execute	DELETE FROM j_account WHERE id = ?
