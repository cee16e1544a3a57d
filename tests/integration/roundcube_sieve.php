<?php
// The classes of Roundcube's plugin, as its web page uses them.
// Arguments: folder of the classes, port, user, password, name of the script.
// Rules come as JSON on the standard input; what is read again goes out as JSON.
require_once 'Net/Sieve.php';
list(, $classes, $port, $user, $password, $name) = $argv;
require_once "$classes/rcube_sieve.php";
require_once "$classes/rcube_sieve_script.php";

function connected()
{
    global $port, $user, $password;
    $options = ['ssl' => ['verify_peer' => false, 'verify_peer_name' => false]];
    $sieve = new rcube_sieve($user, $password, '127.0.0.1', (int) $port, 'PLAIN', true,
        [], false, null, null, $options);
    good($sieve, !$sieve->error());
    return $sieve;
}

function good($sieve, $done)
{
    if (!$done) {
        fwrite(STDERR, "error {$sieve->error()}: " . json_encode($sieve->get_error_lines()));
        exit(1);
    }
}

$sieve = connected();
$sieve->load_script('');
foreach (json_decode(file_get_contents('php://stdin'), true) as $rule) {
    $sieve->script->add_rule($rule);
}
good($sieve, $sieve->save($name));
good($sieve, $sieve->activate($name));
good($sieve, $sieve->copy("copy of $name", $name));
good($sieve, $sieve->remove("copy of $name"));

$again = connected();
good($again, $again->get_active() === $name);
good($again, $again->load($name));
echo json_encode([
    'extensions' => $again->get_extensions(),
    'scripts' => $again->get_scripts(),
    'rules' => $again->script->as_array(),
    'text' => $again->get_script($name),
]);
