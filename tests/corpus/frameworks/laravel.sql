-- What laravel sends (tests/drivers/framework), a command a line: its name, a tab, its text.
-- at its start
Query	use `crowd`;
Prepare	SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED
Execute	SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED
Close stmt	
Prepare	set names 'utf8mb4' collate 'utf8mb4_unicode_ci'
Execute	set names 'utf8mb4' collate 'utf8mb4_unicode_ci'
Close stmt	
Prepare	set time_zone="+00:00"
Execute	set time_zone="+00:00"
Close stmt	
Prepare	set session sql_mode='ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'
Execute	set session sql_mode='ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'
Close stmt	
Prepare	select * from information_schema.tables where table_schema = ? and table_name = ? and table_type = 'BASE TABLE'
Execute	select * from information_schema.tables where table_schema = ? and table_name = ? and table_type = 'BASE TABLE'
Close stmt	
Prepare	create table `la_ticket` (`id` bigint unsigned not null auto_increment primary key, `title` varchar(60) not null, `seats` int not null default '0', `created_at` timestamp null, `updated_at` timestamp null) default character set utf8mb4 collate 'utf8mb4_unicode_ci'
Execute	create table `la_ticket` (`id` bigint unsigned not null auto_increment primary key, `title` varchar(60) not null, `seats` int not null default '0', `created_at` timestamp null, `updated_at` timestamp null) default character set utf8mb4 collate 'utf8mb4_unicode_ci'
Close stmt	
Prepare	create table `la_note` (`id` bigint unsigned not null auto_increment primary key, `ticket_id` bigint unsigned not null, `body` text not null, `created_at` timestamp null, `updated_at` timestamp null) default character set utf8mb4 collate 'utf8mb4_unicode_ci'
Execute	create table `la_note` (`id` bigint unsigned not null auto_increment primary key, `ticket_id` bigint unsigned not null, `body` text not null, `created_at` timestamp null, `updated_at` timestamp null) default character set utf8mb4 collate 'utf8mb4_unicode_ci'
Close stmt	
-- each request
Prepare	insert into `la_ticket` (`title`, `seats`, `updated_at`, `created_at`) values (?, ?, ?, ?)
Execute	insert into `la_ticket` (`title`, `seats`, `updated_at`, `created_at`) values (?, ?, ?, ?)
Close stmt	
Prepare	insert into `la_note` (`body`, `ticket_id`, `updated_at`, `created_at`) values (?, ?, ?, ?)
Execute	insert into `la_note` (`body`, `ticket_id`, `updated_at`, `created_at`) values (?, ?, ?, ?)
Close stmt	
Prepare	update `la_ticket` set `seats` = `seats` + 1, `la_ticket`.`updated_at` = ? where `id` = ?
Execute	update `la_ticket` set `seats` = `seats` + 1, `la_ticket`.`updated_at` = ? where `id` = ?
Close stmt	
Prepare	select * from `la_ticket` where `la_ticket`.`id` = ? limit 1
Execute	select * from `la_ticket` where `la_ticket`.`id` = ? limit 1
Close stmt	
Prepare	select * from `la_ticket` where (`title` = ?) limit 1
Execute	select * from `la_ticket` where (`title` = ?) limit 1
Close stmt	
Query	START TRANSACTION
Prepare	select * from `la_ticket` where `la_ticket`.`id` = ? limit 1 for update
Execute	select * from `la_ticket` where `la_ticket`.`id` = ? limit 1 for update
Close stmt	
Prepare	update `la_ticket` set `seats` = ?, `la_ticket`.`updated_at` = ? where `id` = ?
Execute	update `la_ticket` set `seats` = ?, `la_ticket`.`updated_at` = ? where `id` = ?
Close stmt	
Query	SAVEPOINT trans2
Prepare	update `la_note` set `body` = ?, `la_note`.`updated_at` = ? where `ticket_id` = ?
Execute	update `la_note` set `body` = ?, `la_note`.`updated_at` = ? where `ticket_id` = ?
Close stmt	
Query	COMMIT
Prepare	select * from `la_ticket` where `seats` >= ? order by `created_at` desc limit 5
Execute	select * from `la_ticket` where `seats` >= ? order by `created_at` desc limit 5
Close stmt	
Prepare	select * from `la_note` where `la_note`.`ticket_id` in (3)
Execute	select * from `la_note` where `la_note`.`ticket_id` in (3)
Close stmt	
Prepare	select exists(select * from `la_ticket` where `title` = ?) as `exists`
Execute	select exists(select * from `la_ticket` where `title` = ?) as `exists`
Close stmt	
Prepare	select count(*) as number, sum(seats) as seats from `la_ticket` group by `title`
Execute	select count(*) as number, sum(seats) as seats from `la_ticket` group by `title`
Close stmt	
Prepare	delete from `la_note` where `la_note`.`ticket_id` = ? and `la_note`.`ticket_id` is not null
Execute	delete from `la_note` where `la_note`.`ticket_id` = ? and `la_note`.`ticket_id` is not null
Close stmt	
Prepare	delete from `la_ticket` where `id` = ?
Execute	delete from `la_ticket` where `id` = ?
Close stmt	
