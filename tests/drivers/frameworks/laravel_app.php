<?php
// Laravel's Eloquent over PDO, which prepares each statement: a worker that keeps its connection (queue, Octane).
declare(strict_types=1);
require_once 'Illuminate/Database/autoload.php';

use Illuminate\Database\Capsule\Manager;
use Illuminate\Database\Eloquent\Model;
use Illuminate\Database\Schema\Blueprint;

$capsule = new Manager();
// The keys of Laravel's own config/database.php, and the two that its documentation adds.
$capsule->addConnection([
    'driver' => 'mysql', 'host' => getenv('TG_HOST'), 'port' => getenv('TG_PORT'), 'database' => getenv('TG_SCHEMA'),
    'username' => getenv('TG_USER'), 'password' => '', 'charset' => 'utf8mb4', 'collation' => 'utf8mb4_unicode_ci',
    'prefix' => '', 'strict' => true, 'engine' => null, 'timezone' => '+00:00', 'isolation_level' => 'READ COMMITTED',
]);
$capsule->setAsGlobal();
$capsule->bootEloquent();

class Ticket extends Model
{
    protected $table = 'la_ticket';
    protected $guarded = [];

    public function notes()
    {
        return $this->hasMany(Note::class);
    }
}

class Note extends Model
{
    protected $table = 'la_note';
    protected $guarded = [];
}

if (!Manager::schema()->hasTable('la_note')) {
    Manager::schema()->create('la_ticket', function (Blueprint $table) {
        $table->id();
        $table->string('title', 60);
        $table->integer('seats')->default(0);
        $table->timestamps();
    });
    Manager::schema()->create('la_note', function (Blueprint $table) {
        $table->id();
        $table->foreignId('ticket_id');
        $table->text('body');
        $table->timestamps();
    });
}

for ($number = 0; $number < (int) getenv('TG_REQUESTS'); $number++) {
    Manager::connection()->unprepared("DO 'request'");
    $ticket = Ticket::create(['title' => "ticket $number", 'seats' => 5]);
    $ticket->notes()->create(['body' => "it's \u{2603}"]);
    $ticket->increment('seats');
    if (Ticket::findOrFail($ticket->id)->seats !== 6) {
        throw new RuntimeException('the increment is lost');
    }
    Ticket::firstOrCreate(['title' => 'always the same'], ['seats' => 1]);
    Manager::connection()->transaction(function () use ($ticket) {
        $locked = Ticket::lockForUpdate()->find($ticket->id);
        $locked->update(['seats' => $locked->seats - 1]);
        Manager::connection()->transaction(fn () => Note::where('ticket_id', $locked->id)->update(['body' => 'changed']));
    });
    Ticket::with('notes')->where('seats', '>=', 5)->latest()->limit(5)->get();
    Ticket::where('title', 'none of these')->exists();
    Manager::table('la_ticket')->selectRaw('count(*) as number, sum(seats) as seats')->groupBy('title')->get();
    $ticket->notes()->delete();
    $ticket->delete();
}
