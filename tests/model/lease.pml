/*
 * Who leads, who sends, where a guest's message is: a model of docs/failover.md for spin, written
 * from the design and not from the code. test_lease.py runs it, with every state looked at.
 *
 * Two machines, M and V; the authority runs on V. One message of a guest, which may come by either
 * door. One step of the model is one thing that is atomic in the program: a
 * transaction, a request that is on its way or answered, a file that is moved.
 *
 * Time is not counted. A lease is over for its holder (`lapsed`) at any moment that the model
 * likes, and for the authority only after that: the holder counts from before it asked and takes a
 * margin off, the authority from when it was asked. Between the look at the lease and the first
 * byte to the provider no time passes here; in the program that is what the margin is for. The
 * provider reports on each send before the time of doubt is over (PORTIERE_SEND_ECHO_WAIT).
 * Left out: the witness, a lead that a person forces, and more than one message.
 *
 * -DSTAY              M sends on after its lease while it can't reach the authority
 * -DREDELIVERS        the provider posts again at either door what a door has said 200 to
 * -DDOUBT_ALL         whatever comes in while a new leader is in doubt is held until it isn't
 * -DONCE              nothing is sent twice, whatever is posted again: more than is promised
 * -DDISK              M's disk may be lost, in the first term
 * -DBREAK_…           one rule is left out; spin must find what goes wrong then
 * FAULTS, TERMS       how many faults there may be, how many terms
 */
#ifndef FAULTS
#define FAULTS 1
#endif
#ifndef TERMS
#define TERMS 2
#endif

#define M 0
#define V 1
#define NOBODY 2
#define OTHER(i) (1 - (i))

mtype:role = { STANDBY, TAKING, LEADER, HANDING, DEPOSED }
mtype:ask = { NONE, ASKED, GRANTED }

/* The authority. `over`: it takes the holder's lease for over. */
bool aup = true
byte holder = M
byte term = 1
bool over = false
byte newest = 1 /* the term that was begun last: whose data are the newest */

/* The machines: powered, frozen (a stopped process, a sleeping machine), and who reaches whom. */
bool up[2] = true
bool frozen[2] = false
bool reach = true /* M and V, by the link or by the public names */
bool online[2] = true /* the provider and the edge */

/* The nodes. `valid`: its own deadline isn't over. `late`: that of the question under way is. */
mtype:role role[2] = STANDBY
byte led[2] = 0 /* the term it leads or led in */
bool valid[2] = false
mtype:ask ask[2] = NONE
byte granted[2] = 0
bool late[2] = false

/* Where the message is. Disks survive everything. */
bool db[2] = false     /* a row of the database that the machine has */
bool both[2] = false   /* it may be worked on: mirrored, or the other is known down */
bool claimed[2] = false /* its reply is marked as being sent */
bool done[2] = false   /* its reply is known as sent */
byte data[2] = 0       /* the term that the database is of */
bool copy[2] = false   /* the same in the copy of the other's database that is followed here */
bool copyclaimed[2] = false
bool copydone[2] = false
bool copydoubt[2] = false
byte copyof[2] = 0
bool spool[2] = false
bool offered[2] = false /* a leader may have the one in the spool, and may have acted on it */
bool aside[2] = false
bool asideclaimed[2] = false
bool asidedone[2] = false
bool doubt[2] = false  /* it may have been sent without this machine knowing */

/* The outside. */
bool posted = false
bool accepted = false
bool alone = false /* accepted by one machine while the other was known to be away */
byte sent = 0
bool sender[10] = false /* sent in this term by this machine: 2 * term + machine */
bool echo_waits = false /* the provider's report is on its way */
bool echoed = false
bool planned = false /* the lead was given, not taken */

byte faults = 0
bool healed = false

#if defined(STAY) || defined(REDELIVERS) && !defined(DOUBT_ALL) && !defined(ONCE)
#define MAY_DOUBLE true
#else
#define MAY_DOUBLE false
#endif

#define RUNS(i) (up[i] && !frozen[i])
#define ASKS(i) (RUNS(i) && aup && up[V] && ((i) == V || reach))
#define TALK (reach && up[M] && up[V])
#define FAULT (!healed && faults < FAULTS)
#ifdef STAY
#define ALONE(i) ((i) == M && !(aup && up[V] && reach))
#else
#define ALONE(i) false
#endif
#define MAY_SEND(i) (valid[i] || ALONE(i))
#ifdef BREAK_CHECK
#define LOOKS_AGAIN(i) true
#else
#define LOOKS_AGAIN(i) MAY_SEND(i)
#endif
#ifdef BREAK_GIVE
#define WHOLE_AT_OTHER(i) true
#else
#define WHOLE_AT_OTHER(i) \
    (copy[OTHER(i)] == db[i] && copydone[OTHER(i)] == done[i] && \
     copydoubt[OTHER(i)] == doubt[i] && copyof[OTHER(i)] == data[i] && !aside[OTHER(i)])
#endif

/* Whoever asks to lead has the newest data, or a copy of them, and has handed over what it set aside. */
#define READY(i) (!aside[i] && (data[i] == newest || copyof[i] == newest))

/* ---- the lease ---- */

inline lease(i) {
    if
    /* Its own deadline passes, frozen or not. */
    :: atomic { !healed && valid[i] -> valid[i] = false }
    :: atomic { !healed && ask[i] != NONE && !late[i] && !valid[i] -> late[i] = true }
    /* The holder asks for more, when it is about to need it; also after its lease was over. */
    :: atomic { RUNS(i) && ask[i] == NONE && !valid[i] &&
                (role[i] == LEADER || role[i] == HANDING || role[i] == TAKING) ->
        ask[i] = ASKED; late[i] = false }
    /* A standby asks to lead. */
    :: atomic { RUNS(i) && ask[i] == NONE && role[i] == STANDBY && term < TERMS && READY(i) ->
        ask[i] = ASKED; late[i] = false }
    /* The question arrives, however late. */
    :: atomic { ask[i] == ASKED && ASKS(i) ->
        if
        :: role[i] != STANDBY && holder == i && led[i] == term ->
            over = false; granted[i] = term; ask[i] = GRANTED
        :: role[i] == STANDBY && term < TERMS && (holder == NOBODY || holder == i || over) ->
            term++; holder = i; over = false; planned = false;
            granted[i] = term; ask[i] = GRANTED
        :: else -> ask[i] = NONE
        fi }
    /* The question or the answer is lost, or not waited for any longer. */
    :: atomic { ask[i] != NONE && (!healed || late[i] || !ASKS(i)) -> ask[i] = NONE; late[i] = false }
    /* The answer arrives in time: what is late gives nothing. */
    :: atomic { ask[i] == GRANTED && !late[i] && ASKS(i) ->
        ask[i] = NONE;
        if
        :: role[i] == STANDBY && granted[i] == term ->
            role[i] = TAKING; led[i] = granted[i]; valid[i] = true
        :: role[i] != STANDBY && role[i] != DEPOSED && led[i] == granted[i] -> valid[i] = true
        :: else
        fi }
    /* It hears that another leads, or that its term is over. */
    :: atomic { ASKS(i) && (role[i] == LEADER || role[i] == HANDING || role[i] == TAKING) &&
                ask[i] == NONE && (holder != i || term != led[i]) ->
        role[i] = DEPOSED; valid[i] = false }
    fi
}

inline authority() {
    if
#ifdef BREAK_EXPIRY
    :: atomic { aup && holder != NOBODY && !over && !healed -> over = true }
#endif
    /* Only after the holder's own deadline: of its lease, and of the question it has under way. */
    :: atomic { aup && up[V] && holder != NOBODY && !over && !valid[holder] &&
                (ask[holder] != GRANTED || late[holder]) &&
                (!healed || !(RUNS(holder) && role[holder] != STANDBY && led[holder] == term)) ->
        over = true }
    :: atomic { aup && FAULT -> aup = false; faults++ }
    /* Started anew it knows the holder, and counts its time from now. */
    :: atomic { !aup && up[V] ->
        aup = true;
#ifdef BREAK_RESTART
        over = true
#else
        over = false
#endif
    }
    fi
}

/* ---- taking over ---- */

/* What this leader may act on from now on must not be offered to the next one as new. */
#ifdef BREAK_REPLAY
#define REPLAYED(i) offered[i]
#else
#define REPLAYED(i) true
#endif

/* What the last leader may have done: to rows that it had, and to what it was told of. */
#if defined(BREAK_DOUBT)
#define DOUBTS(i) false
#elif defined(DOUBT_ALL)
#define DOUBTS(i) true
#else
#define DOUBTS(i) (doubt[i] || db[i] || (spool[i] && offered[i]))
#endif

inline lead(i) {
    if
    /* The newest data become the database, the spool is replayed, the term is begun, the doors
       open. Cut short, all of it is done again: nothing is open until the authority has it. */
    :: atomic { RUNS(i) && role[i] == TAKING && valid[i] && ASKS(i) &&
                holder == i && term == led[i] ->
        if
        :: data[i] < copyof[i] ->
            db[i] = copy[i]; claimed[i] = copyclaimed[i]; done[i] = copydone[i]; both[i] = copy[i];
            doubt[i] = copydoubt[i]
        :: else
        fi;
        /* What the last leader may have done is waited for. */
        doubt[i] = (planned -> doubt[i] : DOUBTS(i));
        claimed[i] = false;
        db[i] = db[i] || spool[i];
        offered[i] = REPLAYED(i);
        both[i] = db[i];
        data[i] = led[i]; newest = led[i];
        role[i] = LEADER }
    :: atomic { RUNS(i) && doubt[i] && !echo_waits ->
        doubt[i] = false; done[i] = done[i] || (echoed && db[i]) }
    fi
}

/* ---- sending ---- */

inline work(i) {
    if
    :: atomic { RUNS(i) && role[i] == LEADER && db[i] && both[i] && !done[i] && !claimed[i] &&
                !doubt[i] && MAY_SEND(i) ->
        if
        :: echoed -> done[i] = true
        :: else -> claimed[i] = true
        fi }
    /* The term is looked at once more, then the first byte goes. */
    :: atomic { RUNS(i) && claimed[i] && online[i] && (role[i] == LEADER || role[i] == HANDING) &&
                LOOKS_AGAIN(i) ->
        assert(ALONE(i) || (holder == i && term == led[i]));
        assert(MAY_DOUBLE || sent == 0);
        assert(!sender[2 * led[i] + OTHER(i)]);
        sender[2 * led[i] + i] = true;
        sent = (sent < 2 -> sent + 1 : 2);
        echo_waits = true;
        claimed[i] = false; done[i] = true }
    /* Surely not sent: the lease was over in time. */
    :: atomic { RUNS(i) && claimed[i] && !MAY_SEND(i) && !healed -> claimed[i] = false }
    fi
}

/* ---- doors ---- */

#ifdef BREAK_MIRROR
#define MIRRORS false
#else
#define MIRRORS true
#endif

/* Whether the provider posts (again). */
#ifdef REDELIVERS
#define COMES (!healed)
#else
#define COMES (!healed && !posted)
#endif

inline door(i) {
    if
    /* The leader's: into the database, and then to the other's spool, or the other is known down. */
    :: atomic { RUNS(i) && online[i] && role[i] == LEADER && !db[i] && COMES ->
        posted = true; db[i] = true }
    :: atomic { RUNS(i) && role[i] == LEADER && db[i] && !both[i] ->
        if
        :: TALK && !frozen[OTHER(i)] && MIRRORS ->
            spool[OTHER(i)] = true; offered[OTHER(i)] = true
        :: TALK && !frozen[OTHER(i)] && !(MIRRORS)
        :: else -> alone = true
        fi;
        both[i] = true; accepted = true }
    /* The other's, and that of one who hands over: into its spool. */
    :: atomic { RUNS(i) && online[i] && role[i] != LEADER && !spool[i] && COMES ->
        posted = true; spool[i] = true; offered[i] = false; accepted = true }
    /* From the spool to the leader; what a leader has is kept, and replayed at a takeover only. */
    :: atomic { spool[i] && !offered[i] && role[i] != LEADER && TALK && RUNS(i) && RUNS(OTHER(i)) &&
                role[OTHER(i)] == LEADER && !db[OTHER(i)] ->
        db[OTHER(i)] = true; both[OTHER(i)] = true;
        offered[i] = true;
#ifdef BREAK_SPOOL
        spool[i] = false
#endif
    }
    /* Kept in the spool until the copy here has it, too. */
    :: atomic { RUNS(i) && spool[i] && role[i] == STANDBY && copy[i] && copyof[i] == newest ->
        spool[i] = false }
    /* A leader has replayed its own. */
    :: atomic { RUNS(i) && spool[i] && role[i] == LEADER && db[i] && both[i] -> spool[i] = false }
    fi
}

/* Who asks to lead has the newest data until it is answered: one thread does both. */
#define NOT_ASKING(i) (ask[i] == NONE)

/* ---- replicating, rejoining, switching over ---- */

inline follow(i) {
    if
    :: atomic { RUNS(i) && role[i] == STANDBY && TALK && RUNS(OTHER(i)) &&
                (role[OTHER(i)] == LEADER || role[OTHER(i)] == HANDING) &&
                data[OTHER(i)] == led[OTHER(i)] && data[OTHER(i)] >= copyof[i] &&
                data[OTHER(i)] > data[i] &&
                (copy[i] != db[OTHER(i)] || copydone[i] != done[OTHER(i)] ||
                 copydoubt[i] != doubt[OTHER(i)] ||
                 copyclaimed[i] != claimed[OTHER(i)] || copyof[i] != data[OTHER(i)]) ->
        copy[i] = db[OTHER(i)]; copydone[i] = done[OTHER(i)];
        copyclaimed[i] = claimed[OTHER(i)]; copydoubt[i] = doubt[OTHER(i)];
        copyof[i] = data[OTHER(i)] }
    /* Its own database is of a term that is over: set aside, never thrown away. */
    :: atomic { ASKS(i) && (role[i] == DEPOSED || role[i] == STANDBY) && NOT_ASKING(i) &&
                holder != i && data[i] > 0 && data[i] < newest ->
#ifndef BREAK_ASIDE
        aside[i] = aside[i] || db[i];
        asideclaimed[i] = asideclaimed[i] || claimed[i] || doubt[i];
        asidedone[i] = asidedone[i] || done[i];
#endif
        db[i] = false; both[i] = false; claimed[i] = false; done[i] = false; doubt[i] = false;
        data[i] = 0; copyof[i] = 0; copy[i] = false; copydone[i] = false; copyclaimed[i] = false;
        copydoubt[i] = false;
        role[i] = STANDBY }
    /* A term that was never begun leaves nothing behind. */
    :: atomic { RUNS(i) && role[i] == DEPOSED && (data[i] == 0 || data[i] >= newest) ->
        role[i] = STANDBY }
    /* What only it has is handed over to the leader, which doubts what may have been sent. */
    :: atomic { RUNS(i) && aside[i] && TALK && RUNS(OTHER(i)) && role[OTHER(i)] == LEADER ->
        if
        :: asidedone[i] -> db[OTHER(i)] = true; done[OTHER(i)] = true; claimed[OTHER(i)] = false
        :: !asidedone[i] && !db[OTHER(i)] ->
            db[OTHER(i)] = true; doubt[OTHER(i)] = doubt[OTHER(i)] || asideclaimed[i]
        :: else
        fi;
        both[OTHER(i)] = true;
        aside[i] = false; asideclaimed[i] = false; asidedone[i] = false }
    fi
}

inline switch_over(i) {
    if
    :: atomic { !healed && RUNS(i) && role[i] == LEADER && valid[i] && TALK &&
                RUNS(OTHER(i)) && role[OTHER(i)] == STANDBY -> role[i] = HANDING }
    /* What was asked of the provider is answered, the copy is whole: the other leads. */
    :: atomic { role[i] == HANDING && ASKS(i) && holder == i && term == led[i] && term < TERMS &&
                !claimed[i] && ask[OTHER(i)] == NONE && role[OTHER(i)] == STANDBY &&
                WHOLE_AT_OTHER(i) && !healed ->
        term++; holder = OTHER(i); over = false; planned = true;
        ask[OTHER(i)] = GRANTED; granted[OTHER(i)] = term; late[OTHER(i)] = false;
        role[i] = DEPOSED; valid[i] = false }
    :: atomic { RUNS(i) && role[i] == HANDING && valid[i] && holder == i && term == led[i] ->
        role[i] = LEADER }
    fi
}

/* ---- what breaks ---- */

inline break_and_mend(i) {
    if
    /* A power cut. What was being sent may have been sent. */
    :: atomic { up[i] && FAULT ->
        faults++; up[i] = false; frozen[i] = false;
        if :: i == V -> aup = false :: else fi;
        role[i] = STANDBY; valid[i] = false; ask[i] = NONE; late[i] = false;
        doubt[i] = doubt[i] || claimed[i] || (db[i] && !done[i]);
        claimed[i] = false }
    :: atomic { !up[i] -> up[i] = true }
#ifdef DISK
    /* The house burns down: M comes back with nothing. What M took in alone is gone with it. */
    :: atomic { i == M && FAULT && term == 1 && !alone && !spool[M] ->
        faults++; up[M] = false; frozen[M] = false;
        role[M] = STANDBY; valid[M] = false; ask[M] = NONE; late[M] = false;
        db[M] = false; both[M] = false; claimed[M] = false; done[M] = false; doubt[M] = false;
        data[M] = 0 }
#endif
    :: atomic { RUNS(i) && FAULT -> faults++; frozen[i] = true }
    :: atomic { frozen[i] -> frozen[i] = false }
    :: atomic { online[i] && FAULT -> faults++; online[i] = false }
    :: atomic { !online[i] -> online[i] = true }
    fi
}

inline network() {
    if
    :: atomic { reach && FAULT -> faults++; reach = false }
    :: atomic { !reach -> reach = true }
    :: atomic { echo_waits -> echo_waits = false; echoed = true }
    /* From here on nothing breaks, and nobody's lease runs out: what can happen still happens. */
    :: atomic { !healed && up[M] && up[V] && aup && !frozen[M] && !frozen[V] && reach &&
                online[M] && online[V] -> healed = true }
    fi
}

#define IN_COPY(i) (copy[i] && copyof[i] == newest)
#define SOMEWHERE \
    (db[M] || db[V] || spool[M] || spool[V] || aside[M] || aside[V] || IN_COPY(M) || IN_COPY(V))

active proctype machines() {
    /* M leads in term 1, and V has a copy of what it has. */
    atomic { led[M] = 1; data[M] = 1; role[M] = LEADER; valid[M] = true; copyof[V] = 1 }
    do
    :: lease(M)
    :: lease(V)
    :: authority()
    :: lead(M)
    :: lead(V)
    :: work(M)
    :: work(V)
    :: door(M)
    :: door(V)
    :: follow(M)
    :: follow(V)
    :: switch_over(M)
    :: switch_over(V)
    :: break_and_mend(M)
    :: break_and_mend(V)
    :: network()
    :: timeout ->
        /* Nothing more can happen: what was accepted is answered by now. */
        assert(!healed || !accepted || sent > 0 || term == TERMS);
        break
    od
}

/* An accepted message that isn't answered is on a disk that somebody will look at. */
ltl kept { [] (accepted && sent == 0 -> SOMEWHERE) }
