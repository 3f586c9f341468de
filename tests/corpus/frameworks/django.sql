-- What django sends (tests/drivers/framework), a command a line: its name, a tab, its text.
-- at its start
Query	SET sql_mode='STRICT_TRANS_TABLES'
Query	SET NAMES utf8mb4
Query	SET autocommit=0
Query	SET autocommit=1
Query	SELECT VERSION(), @@sql_mode, @@default_storage_engine, @@sql_auto_is_null, @@lower_case_table_names, CONVERT_TZ('2001-01-01 01:00:00', 'UTC', 'UTC') IS NOT NULL
Query	SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED
Query	SELECT table_name, table_type, table_comment FROM information_schema.tables WHERE table_schema = DATABASE()
Query	CREATE TABLE `dj_article` (`id` integer AUTO_INCREMENT NOT NULL PRIMARY KEY, `title` varchar(60) NOT NULL, `views` integer NOT NULL, `created` datetime(6) NOT NULL)
Ping	
-- each request
Query	INSERT INTO `dj_article` (`title`, `views`, `created`) VALUES ('article 1', 0, '2026-11-26 07:02:10.678866') RETURNING `dj_article`.`id`
Query	UPDATE `dj_article` SET `views` = (`dj_article`.`views` + 1) WHERE `dj_article`.`id` = 3
Query	SELECT `dj_article`.`id`, `dj_article`.`title`, `dj_article`.`views`, `dj_article`.`created` FROM `dj_article` WHERE `dj_article`.`id` = 3 LIMIT 21
Query	SELECT `dj_article`.`id`, `dj_article`.`title`, `dj_article`.`views`, `dj_article`.`created` FROM `dj_article` WHERE `dj_article`.`title` = 'always the same' LIMIT 21
Query	SET autocommit=0
Query	SELECT `dj_article`.`id`, `dj_article`.`title`, `dj_article`.`views`, `dj_article`.`created` FROM `dj_article` WHERE `dj_article`.`id` = 3 LIMIT 21 FOR UPDATE
Query	UPDATE `dj_article` SET `title` = 'article 1', `views` = 10, `created` = '2026-11-26 07:02:10.678866' WHERE `dj_article`.`id` = 3
Query	SAVEPOINT `s140289994917696_x2`
Query	SELECT 1 AS `a` FROM `dj_article` WHERE (`dj_article`.`id` = 3 AND `dj_article`.`title` LIKE '%article%') LIMIT 1
Query	RELEASE SAVEPOINT `s140289994917696_x2`
Query	COMMIT
Query	SET autocommit=1
Query	SELECT COUNT(*) AS `__count` FROM `dj_article` WHERE `dj_article`.`views` >= 10
Query	SELECT `dj_article`.`id`, `dj_article`.`title`, `dj_article`.`views`, `dj_article`.`created` FROM `dj_article` ORDER BY `dj_article`.`created` DESC LIMIT 5
Query	DELETE FROM `dj_article` WHERE `dj_article`.`id` IN (3)
Ping	
