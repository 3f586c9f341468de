-- What mysql2 sends (tests/drivers/framework), a command a line: its name, a tab, its text.
-- at its start
Query	CREATE TABLE IF NOT EXISTS n_item (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(60), stock INT) ENGINE=InnoDB
-- each request
Execute	INSERT INTO n_item (name, stock) VALUES (?, ?)
Execute	SELECT id, name, stock FROM n_item WHERE id = ?
Query	UPDATE n_item SET stock = stock - 1 WHERE id = 2
Ping	
Query	START TRANSACTION
Execute	SELECT stock FROM n_item WHERE id = ? FOR UPDATE
Execute	UPDATE n_item SET stock = ? WHERE id = ?
Query	COMMIT
Query	START TRANSACTION
Query	DELETE FROM n_item WHERE id = 2
Query	ROLLBACK
Query	DELETE FROM n_item WHERE id = 2
