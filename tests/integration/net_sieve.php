<?php
// What Roundcube's plugin does with Net_Sieve.
// Arguments: port, user, password, mechanism, whose scripts ("" for the user's own).
require_once 'Net/Sieve.php';

list(, $port, $user, $password, $mechanism, $owner) = $argv;

function good($result)
{
    if ($result instanceof PEAR_Error) {
        fwrite(STDERR, $result->getMessage() . "\n");
        exit(1);
    }
    return $result;
}

$sieve = new Net_Sieve();
$options = ['ssl' => ['verify_peer' => false, 'verify_peer_name' => false]];
good($sieve->connect('127.0.0.1', (int) $port, $options, true));
good($sieve->login($user, $password, $mechanism, $owner));
foreach (['fileinto', 'vacation', 'imap4flags'] as $name) {
    if (!$sieve->hasExtension($name)) {
        exit("no $name\n");
    }
}
good($sieve->haveSpace('roundcube', 100));
$script = "require [\"fileinto\"];\r\n# rule:[größer]\r\n"
    . "if header :contains \"subject\" \"list\" {\r\n\tfileinto \"Lists\";\r\n}\r\n";
good($sieve->installScript('roundcube', $script, true));
$wrong = $sieve->installScript('wrong', "keep;\r\nnonsense;\r\n");
echo $wrong instanceof PEAR_Error ? $wrong->getMessage() : 'taken', "\n";
good($sieve->installScript('old "one"', 'keep;'));
echo implode(', ', good($sieve->listScripts($active))), "; $active\n";
$got = good($sieve->getScript('roundcube'));  // it gives the end of the answer's line too
echo $got === "$script\r\n" ? "the same\n" : "another\n";
good($sieve->removeScript('old "one"'));
$refused = $sieve->removeScript('roundcube');
echo $refused instanceof PEAR_Error ? $refused->getMessage() : 'gone', "\n";
good($sieve->setActive(''));
good($sieve->removeScript('roundcube'));
echo count(good($sieve->listScripts())), "\n";
good($sieve->disconnect());
